import type { OpenStream } from '../../hub/stream/stream.ts'

/** Buffered bytes from which on the reader counts as slow. */
const HIGH_WATER_MARK = 16 * 1024

/**
 * A stream on workerd's own transform, which reports a disconnect of its reader. The standard stream of workerd 1.20260426 does not if
 * bytes are in flight.
 */
export const openWorkerStream: OpenStream = (source) => {
  const { readable, writable } = new IdentityTransformStream()
  const writer = writable.getWriter()
  let waiting = 0
  const taken = (bytes: number) => {
    const hadRoom = waiting < HIGH_WATER_MARK
    waiting -= bytes
    if (!hadRoom && waiting < HIGH_WATER_MARK) source.pull()
  }
  // Also handles rejections of `write` and `close` after the reader has disconnected.
  const left = () => source.cancel()
  writer.closed.catch(left)
  source.start({
    get hasRoom() {
      return waiting < HIGH_WATER_MARK
    },
    write(bytes) {
      waiting += bytes.length
      writer.write(bytes).then(() => taken(bytes.length), left)
    },
    close() {
      writer.close().catch(left)
    },
  })
  source.pull()
  return readable
}
