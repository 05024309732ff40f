import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../support/free-port.ts'
import { startNodes } from './nodes.ts'
import { owned, type Peer, pinned, type Running } from './peer.ts'

/** Where Debian puts them: the packages nginx and libnginx-mod-nchan. */
const NGINX = '/usr/sbin/nginx'
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

/** @param redis port of a Redis that several nginx share */
const config = (folder: string, port: number, redis?: number) => `
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
  ${redis === undefined ? '' : `nchan_redis_url "redis://127.0.0.1:${redis}"; nchan_use_redis on;`}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/publish/(.+)$ { nchan_publisher; nchan_channel_id $1; }
    location ~ ^/watch/(.+)$ { nchan_subscriber eventsource; nchan_eventsource_ping_interval 30; nchan_channel_id $1; nchan_subscriber_first_message -1; }
  }
}
`

const PATHS = { publishPath: '/publish/{job}', watchPath: '/watch/{job}', wire: 'relay' } as const

const missing = () =>
  existsSync(NGINX) && existsSync(MODULE) ? undefined : 'install the Debian packages nginx and libnginx-mod-nchan'

/** nchan in nginx: one worker, messages kept in memory, the last one for those who come later. */
export const nchan: Peer = {
  name: 'nchan, nginx',
  missing,
  start: () => startNginx(),
}

/** Two nginx that share a Redis. */
export const nchanNodes: Peer = {
  name: 'nchan, 2 nginx on Redis',
  missing,
  start: () => startNodes(2, ({ port }) => startNginx(port)),
}

async function startNginx(redis?: number): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
  const port = freePort()
  await Bun.write(join(folder, 'nginx.conf'), config(folder, port, redis))
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
  return { target: { pid: child.pid, port, ...PATHS }, stop }
}

const answers = (port: number) =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  )
