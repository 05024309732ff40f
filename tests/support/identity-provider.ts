import { freePort } from './free-port.ts'

/** A real OpenID provider in a process of its own, on the same port in every life. See `identity-provider.mjs` for its clients. */
export class IdentityProvider {
  readonly #port = freePort()
  readonly url = `http://127.0.0.1:${this.#port}`
  #process: Bun.Subprocess<'ignore', 'pipe', 'inherit'> | undefined

  /**
   * @param keys `kid:alg`, several separated by commas
   * @param redirectUris of the client `dashboard`, separated by commas
   * @param methods by which clients may send their secrets, separated by commas
   * @throws Error when the process ends before it listens; stderr has the reason
   */
  async start(keys: string, redirectUris = 'http://localhost/', ...methods: string[]): Promise<void> {
    const command = ['node', 'tests/support/identity-provider.mjs', `${this.#port}`, keys, redirectUris, ...methods]
    const child = Bun.spawn(command, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    // It prints a line once it listens.
    const { done } = await child.stdout.getReader().read()
    if (done)
      throw new Error(`The identity provider ended with ${await child.exited} before it listened on ${this.url}`)
  }

  async stop(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#process?.exited
  }

  /** An access token of the client `backend`. */
  async token(resource: string): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('backend:backend-secret')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'jobs:read jobs:write', resource }),
    })
    const { access_token: token } = (await response.json()) as { access_token: string }
    return token
  }
}
