/** A port that nobody listens on, for what has to be told one. */
export function freePort(): number {
  const [port = 0] = freePorts(1)
  return port
}

/** As many such ports, no two the same. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () =>
    Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }),
  )
  for (const listener of listeners) listener.stop()
  return listeners.map(({ port }) => port)
}
