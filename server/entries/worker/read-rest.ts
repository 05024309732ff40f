/** Most that is read of a body that nobody needs: bytes, twice the largest that a route takes in one piece, and milliseconds. */
const MOST_BYTES = 8 * 1_048_576
const MOST_MS = 1_000

/**
 * Reads what a route has left of a request's body, before its response is sent. workerd closes the connection of a request whose body was
 * not read, without saying so in the response, and the next request on it is lost; proxies in front of it then hang or send a 503.
 */
export async function readRest(body: ReadableStream<Uint8Array>): Promise<void> {
  // A route is still reading it.
  if (body.locked) return
  const reader = body.getReader()
  let timer: ReturnType<typeof setTimeout> | null = null
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, MOST_MS)
  })
  try {
    for (let bytes = 0; bytes < MOST_BYTES; ) {
      const read = await Promise.race([reader.read(), late])
      if (!read || read.done) return
      bytes += read.value.length
    }
  } catch {
    // The client is gone.
  } finally {
    clearTimeout(timer)
  }
}
