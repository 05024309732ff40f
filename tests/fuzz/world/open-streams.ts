import { settle } from '../../virtual-clock.ts'
import { faultOfStream } from './answers.ts'
import { CANARY } from './canary.ts'
import type { Made } from './made.ts'

/** A stream that was opened, and is read as far as it comes. */
interface OpenStream {
  made: Made
  reader: ReadableStreamDefaultReader<Uint8Array>
  abort: AbortController
  text: string
  pending: Promise<Chunk> | undefined
}

type Chunk = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>

/** The streams that requests have opened. */
export class OpenStreams {
  readonly #streams: OpenStream[] = []

  get isEmpty(): boolean {
    return this.#streams.length === 0
  }

  add(made: Made, body: ReadableStream<Uint8Array>, abort: AbortController): void {
    this.#streams.push({ made, reader: body.getReader(), abort, text: '', pending: undefined })
  }

  /** Reads what has come on each, and leaves. @throws Error that shows the request and the stream, when something is wrong with it */
  async checkAndLeave(): Promise<void> {
    const streams = this.#streams.splice(0)
    for (const stream of streams) await drain(stream)
    for (const [index, { abort, reader }] of streams.entries()) {
      // Both are ways to leave.
      if (index % 2 === 0) abort.abort()
      await reader.cancel().catch(() => {})
    }
    await settle()
    await settle()
    for (const { made, text } of streams) {
      const showsOthers = !made.isAdmin && text.includes(CANARY)
      const fault = faultOfStream(text) ?? (showsOthers ? "it holds what is another principal's" : undefined)
      if (fault !== undefined) throw new Error(`${fault}\n\n${made.text}\n\n${text.slice(0, 4_000)}`)
    }
  }
}

async function drain(stream: OpenStream): Promise<void> {
  const decoder = new TextDecoder()
  for (;;) {
    stream.pending ??= stream.reader.read().catch(() => ({ done: true, value: undefined }))
    const chunk = await Promise.race([stream.pending, settle().then(settle)])
    if (!chunk) return
    stream.pending = undefined
    if (chunk.done) return
    stream.text += decoder.decode(chunk.value, { stream: true })
  }
}
