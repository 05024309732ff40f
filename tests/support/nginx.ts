import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NGINX = '/usr/sbin/nginx'

/** Why there is no proxy to run, if there is none. */
export function missingNginx(): string | undefined {
  if (!existsSync(NGINX)) return `no nginx at ${NGINX}: install it`
  return Bun.which('openssl') ? undefined : 'no openssl: install it'
}

/** nginx with the configuration that we ship, in front of a server: over TLS, with a certificate of its own making. */
export class Nginx {
  readonly url: string
  /** The certificate, to be trusted by who asks. */
  readonly ca: string
  readonly #folder: string
  readonly #process: Bun.Subprocess

  private constructor(folder: string, url: string, ca: string, process: Bun.Subprocess) {
    this.#folder = folder
    this.url = url
    this.ca = ca
    this.#process = process
  }

  /**
   * @param server the address of the server behind it
   * @param edit what else is to be otherwise in the configuration
   * @param file which configuration
   */
  static async start(
    server: string,
    edit: (config: string) => string = (config) => config,
    file = 'nginx.conf',
  ): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-nginx-'))
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    await makeCertificate(key, certificate)
    const port = freePort()
    const shipped = await readFile(join('server/deploy', file), 'utf8')
    const config = edit(shipped)
      .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
      .replace(/server_name \S+;/, 'server_name localhost;')
      .replace('127.0.0.1:8787', new URL(server).host)
      .replace('/etc/ssl/milepost/fullchain.pem', certificate)
      .replace('/etc/ssl/milepost/key.pem', key)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
      .join('\n')
    const path = join(folder, 'nginx.conf')
    const events = 'events { worker_connections 256; }'
    const main = `daemon off;\nmaster_process off;\npid ${folder}/nginx.pid;\nerror_log stderr;\n${events}`
    await writeFile(path, `${main}\nhttp {\naccess_log off;\n${temporary}\n${config}\n}\n`)
    const process = Bun.spawn([NGINX, '-p', folder, '-e', 'stderr', '-c', path], { stderr: 'pipe', stdout: 'ignore' })
    const nginx = new Nginx(folder, `https://localhost:${port}/`, await readFile(certificate, 'utf8'), process)
    await nginx.#untilItListens(port)
    return nginx
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.url), { redirect: 'manual', ...init, tls: { ca: this.ca } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.#process.exited
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #untilItListens(port: number): Promise<void> {
    for (;;) {
      try {
        const socket = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } })
        socket.end()
        return
      } catch {
        if (this.#process.exitCode !== null) {
          throw new Error(`nginx ended: ${await new Response(this.#process.stderr as ReadableStream).text()}`)
        }
        await Bun.sleep(10)
      }
    }
  }
}

async function makeCertificate(key: string, certificate: string): Promise<void> {
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const openssl = Bun.spawn(['openssl', 'req', ...kind, ...names, '-keyout', key, '-out', certificate], {
    stdout: 'ignore',
    stderr: 'pipe',
  })
  if ((await openssl.exited) !== 0) throw new Error(await new Response(openssl.stderr).text())
}

/** A port that was free a moment ago: nginx takes none of the system's choice. */
function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop()
  return port
}
