import { Digest, digestOfStream } from '../kit/digest.ts'
import type { Pace } from '../kit/pace.ts'
import { type Tree, type TreeEntry, TreeRefusal } from './tree.ts'

interface CopyOptions {
  signal: AbortSignal
  /** A rate limit that is shared with other copies. */
  pace?: Pace | undefined
  /** Called with the bytes of each piece that was passed on. */
  onBytes(bytes: number): void
}

/**
 * Copies a file once, and verifies the copy by reading it back.
 *
 * @throws TreeRefusal for a failure that a retry can't fix; any other may be temporary
 */
export async function copyFile(
  source: Tree,
  target: Tree,
  { path, size }: TreeEntry,
  { signal, pace, onBytes }: CopyOptions,
): Promise<void> {
  const digest = new Digest()
  let read = 0
  const meter = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      read += chunk.byteLength
      await digest.update(chunk)
      for await (const piece of pace ? pace.pass(chunk, signal) : [chunk]) {
        onBytes(piece.byteLength)
        controller.enqueue(piece)
      }
    },
  })
  const file = await source.read(path)
  const content = file.content.pipeThrough(meter, { signal })
  try {
    await target.write(path, content, file.modes)
  } catch (error) {
    // The target may fail before it reads: close the source.
    await content.cancel(error).catch(() => {})
    throw error
  }
  if (read !== size) throw new TreeRefusal('It changed while it was being read')
  if ((await digest.finish()) !== (await digestOfStream((await target.read(path)).content))) {
    throw new Error('The copy differs from the source')
  }
}

/** Whether a file has the same content in two trees, and the same mode where both have modes. */
export async function isSameFile(a: Tree, b: Tree, path: string): Promise<boolean> {
  const [fileA, fileB] = await Promise.all([a, b].map((tree) => describeFile(tree, path)))
  if (fileA?.mode !== undefined && fileB?.mode !== undefined && fileA.mode !== fileB.mode) return false
  return fileA?.digest === fileB?.digest
}

async function describeFile(tree: Tree, path: string): Promise<{ digest: string; mode: number | undefined }> {
  const { content, modes } = await tree.read(path)
  return { digest: await digestOfStream(content), mode: modes?.file }
}
