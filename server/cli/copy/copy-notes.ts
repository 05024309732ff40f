import type { ExpiringNote } from '../../jobs/transfer.ts'
import type { End } from './end.ts'

/** Notes that are copied together. */
const PAGE = 100
/** Records of the audit are never wrong afterwards. Other notes are, once they have been taken: a session that ended, a link that was used. */
const AUDIT = 'audit-'

/**
 * Copies the notes that have not expired. Removes those from TO that FROM does not have, because they ended since an earlier copy.
 *
 * @param now milliseconds since the Unix epoch
 * @returns how many there are
 */
export async function copyNotes(from: End, to: End, now: number): Promise<number> {
  let count = 0
  for await (const notes of pagesOf(from)) {
    const valid = notes.filter(({ until }) => until > now)
    await Promise.all(valid.map((note) => to.ask(({ notes }) => notes.put(note, note.until, now))))
    count += valid.length
  }
  for await (const notes of pagesOf(to)) {
    const others = notes.filter(({ key }) => !key.startsWith(AUDIT))
    await Promise.all(
      others.map(async ({ key }) => {
        const known = await from.ask(({ notes }) => notes.get(key))
        if (known === undefined) await to.ask(({ notes }) => notes.take(key))
      }),
    )
  }
  return count
}

async function* pagesOf(end: End): AsyncIterable<ExpiringNote[]> {
  for (let after = ''; ; ) {
    const notes = await end.ask(({ transfer }) => transfer.listNotes({ after, limit: PAGE }))
    yield notes
    if (notes.length < PAGE) return
    after = notes.at(-1)?.key ?? after
  }
}
