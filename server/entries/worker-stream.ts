import type { OpenStream } from '../hub/stream.ts'

/** Bytes that wait for the reader before it counts as slow. */
const HIGH_WATER_MARK = 16 * 1024

/**
 * A stream of workerd's own, which tells when its reader has left: the standard one does not in workerd 1.20260426, if the reader leaves while
 * bytes are on their way to it.
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
  // Also what `write` and `close` reject with, once the reader has left.
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
