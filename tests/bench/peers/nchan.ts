import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { owned, type Peer, pinned } from './peer.ts'

/** Where Debian puts them: the packages nginx and libnginx-mod-nchan. */
const NGINX = '/usr/sbin/nginx'
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

const config = (folder: string, port: number) => `
load_module ${MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr crit;
pid ${folder}/nginx.pid;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  nchan_shared_memory_size 256M;
  nchan_message_buffer_length 1;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/publish/(.+)$ { nchan_publisher; nchan_channel_id $1; }
    location ~ ^/watch/(.+)$ { nchan_subscriber eventsource; nchan_eventsource_ping_interval 30; nchan_channel_id $1; nchan_subscriber_first_message -1; }
  }
}
`

/** nchan in nginx: one worker, messages kept in memory, the last one for those who come later. */
export const nchan: Peer = {
  name: 'nchan, nginx',
  missing: () =>
    existsSync(NGINX) && existsSync(MODULE) ? undefined : 'install the Debian packages nginx and libnginx-mod-nchan',
  async start() {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
    const port = freePort()
    await Bun.write(join(folder, 'nginx.conf'), config(folder, port))
    const child = owned(
      Bun.spawn(pinned('server', [NGINX, '-p', folder, '-c', join(folder, 'nginx.conf')]), {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    )
    const stop = async () => {
      child.kill('SIGTERM')
      await child.exited
      await rm(folder, { recursive: true })
    }
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error('nginx ended before it listened')
      await Bun.sleep(20)
    }
    const paths = { publishPath: '/publish/{job}', watchPath: '/watch/{job}', wire: 'relay' } as const
    return { target: { pid: child.pid, port, ...paths }, stop }
  },
}

/** A port that nobody listens on: nginx has to be told one. */
function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  listener.stop()
  return listener.port
}

const answers = (port: number) =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  )
