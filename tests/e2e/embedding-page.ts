import type { BrowserContextOptions, Page } from 'playwright-core'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { openPage } from './browser.ts'

/** Somebody else's site, on an origin of its own, that shows jobs with the element. */
export class EmbeddingPage {
  readonly server: ServerProcess
  /** The producer, whose jobs they are. */
  readonly api: ApiClient
  readonly #site: Bun.Server<undefined>
  #html = ''

  private constructor(server: ServerProcess, site: Bun.Server<undefined>, api: ApiClient) {
    this.server = server
    this.#site = site
    this.api = api
  }

  /** @param env more of the server's settings */
  static async start(env: Record<string, string> = {}): Promise<EmbeddingPage> {
    const site: Bun.Server<undefined> = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response(page.#html, { headers: { 'content-type': 'text/html; charset=utf-8' } }),
    })
    const server = await ServerProcess.start({ MILEPOST_ORIGINS: site.url.origin, ...env })
    const page: EmbeddingPage = new EmbeddingPage(
      server,
      site,
      new ApiClient(server.url, await accessToken('producer')),
    )
    return page
  }

  /** The element for a job, as the job's owner would write it. */
  async element(id: string, attributes = '', inside = ''): Promise<string> {
    const { token } = await this.api.share(id)
    return `<job-progress id="${id}" src="${this.server.url}api/jobs/${id}" token="${token}" ${attributes}>${inside}</job-progress>`
  }

  /** Opens the site with some HTML in it. */
  async open(html: string, options: BrowserContextOptions = {}, dir = 'ltr'): Promise<Page> {
    this.#html = `<!doctype html><html lang="en" dir="${dir}"><meta charset="utf-8"><title>Somebody's site</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body { font: 15px/1.5 sans-serif; background: light-dark(#fff, #15181d); color: light-dark(#1c2027, #eceef1) } main { display: grid; gap: 24px; max-width: 400px }</style>
<script type="module" src="${this.server.url}widget.js"></script><main><h1>Orders</h1>${html}</main></html>`
    const page = await openPage(options)
    await page.goto(this.#site.url.href)
    return page
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#site.stop(true)
    await this.server[Symbol.asyncDispose]()
  }
}
