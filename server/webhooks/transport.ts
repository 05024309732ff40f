/** A request to be sent. */
export interface WebhookRequest {
  url: URL
  /** The address to connect to, which was checked. Omitted: wherever the name of the URL leads. */
  address?: string
  headers: Readonly<Record<string, string>>
  body: string
  /** Ends the attempt. */
  signal: AbortSignal
}

/** How a runtime sends webhooks. */
export interface WebhookTransport {
  /**
   * Sends a POST and resolves with the status of the response, as soon as that is known. MUST NOT follow redirects, and MUST NOT read more
   * of a response than a few KiB. Rejects when there is no response.
   */
  post(request: WebhookRequest): Promise<number>
  /** The addresses of a host name. With it `post` MUST connect to the `address` of the request, whatever the name leads to by then. */
  resolve?(hostname: string): Promise<readonly string[]>
  /** The platform itself reaches no private network, so names need not be resolved to check them. */
  reachesPublicOnly?: true
}

/** Sends with `fetch`. It connects to where a name leads at that moment, so it does not let jobs choose URLs unless the platform is safe. */
export const fetchTransport: WebhookTransport = {
  post: async ({ url, headers, body, signal }) => {
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    await response.body?.cancel()
    return response.status
  },
}
