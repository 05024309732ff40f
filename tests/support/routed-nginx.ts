import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withoutSlash } from '../../shared/wire/paths.ts'
import { freePort } from './free-port.ts'

/** Where Debian puts it. */
const NGINX = '/usr/sbin/nginx'

/** A real nginx in front of a server, whose route a test changes: what it answers when the server is away, or when it is sent elsewhere, it says in its own words. */
export class RoutedNginx {
  /** Ends in a slash. */
  readonly url: string
  readonly #folder: string
  readonly #port: number
  readonly #upstream: string
  #process: Bun.Subprocess | undefined

  private constructor(folder: string, port: number, upstream: string) {
    this.#folder = folder
    this.#port = port
    this.#upstream = upstream
    this.url = `http://127.0.0.1:${port}/`
  }

  /** Starts one that passes everything on to a server. */
  static async start(upstream: string): Promise<RoutedNginx> {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-nginx-'))
    const nginx = new RoutedNginx(folder, freePort(), upstream)
    await nginx.passOn()
    return nginx
  }

  /** Passes everything on to the server; what there is in the folder, it answers itself. */
  passOn(): Promise<void> {
    const buffering = 'proxy_buffering off; proxy_http_version 1.1; proxy_set_header Host $http_host;'
    return this.#restart(`root ${this.#folder}/pages; try_files $uri @server; } 
    location @server { ${buffering} proxy_pass ${withoutSlash(this.#upstream)};`)
  }

  /** Answers everything itself. @param directive such as `return 404;` */
  answer(directive: string): Promise<void> {
    return this.#restart(directive)
  }

  /** Puts a page where it serves it itself. */
  async addPage(name: string, html: string): Promise<void> {
    await Bun.write(join(this.#folder, 'pages', name), html)
  }

  /** Requests to the API since it was started or its route was changed: `GET 404 Mozilla/5.0 …`. */
  async requests(): Promise<string[]> {
    const log = await readFile(join(this.#folder, 'access.log'), 'utf8').catch(() => '')
    return log.split('\n').filter((line) => line !== '')
  }

  /** Resolves once that many requests with a word in them were answered. `meanwhile` is called as long as there are fewer. */
  async hasAnswered(count: number, word: string, meanwhile: () => Promise<unknown>): Promise<void> {
    while ((await this.requests()).filter((line) => line.includes(word)).length < count) {
      await meanwhile()
      await Bun.sleep(100)
    }
  }

  async #restart(route: string): Promise<void> {
    await this.#stop()
    await rm(join(this.#folder, 'access.log'), { force: true })
    await Bun.write(join(this.#folder, 'nginx.conf'), this.#config(route))
    const child = Bun.spawn([NGINX, '-p', this.#folder, '-c', join(this.#folder, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    this.#process = child
    while (!(await this.#listens())) {
      if (child.exitCode !== null) throw new Error('nginx ended before it listened')
      await Bun.sleep(20)
    }
  }

  #listens(): Promise<boolean> {
    return fetch(this.url).then(
      () => true,
      () => false,
    )
  }

  #config(route: string): string {
    const folder = this.#folder
    // Its workers would be nobody's otherwise, who may not read the folder.
    const user = process.getuid?.() === 0 ? 'user root;' : ''
    return `
${user}
daemon off;
worker_processes 1;
error_log ${folder}/error.log crit;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  default_type text/html;
  types { text/html html; }
  log_format plain '$request_method $status $http_user_agent';
  map $request_uri $is_api { default 0; ~^/api/ 1; }
  access_log ${folder}/access.log plain if=$is_api;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${this.#port};
    location / { ${route} }
  }
}
`
  }

  /** At once, and so are all connections. */
  async #stop(): Promise<void> {
    this.#process?.kill('SIGTERM')
    await this.#process?.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
