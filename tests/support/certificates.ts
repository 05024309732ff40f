import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate and its key: files. */
interface Certificate {
  certificate: string
  key: string
}

/** A private certificate authority, made with openssl, in a folder of its own. */
export class CertificateAuthority {
  /** Its own certificate: a file. */
  readonly certificate: string
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
    this.certificate = join(folder, 'ca.crt')
  }

  static async create(): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(await mkdtemp(join(tmpdir(), 'milepost-ca-')))
    await authority.#issue('ca', ['-subj', '/CN=Milepost tests'])
    return authority
  }

  /** @param names subject alternative names: `DNS:localhost,IP:127.0.0.1` */
  issue(name: string, names: string): Promise<Certificate> {
    const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE']
    const signer = ['-CA', this.certificate, '-CAkey', join(this.#folder, 'ca.key')]
    return this.#issue(name, ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`, ...leaf, ...signer])
  }

  async #issue(name: string, more: string[]): Promise<Certificate> {
    const [certificate, key] = [join(this.#folder, `${name}.crt`), join(this.#folder, `${name}.key`)]
    const kind = ['-x509', '-days', '2', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const child = Bun.spawn(['openssl', 'req', ...kind, '-keyout', key, '-out', certificate, ...more], {
      stdout: 'ignore',
      stderr: 'pipe',
    })
    if ((await child.exited) !== 0) throw new Error(await new Response(child.stderr).text())
    return { certificate, key }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
