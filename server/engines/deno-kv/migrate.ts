import { dueOf } from '../../jobs/background/due.ts'
import { keys } from './keys.ts'
import type { Gone, Head } from './values.ts'
import { listedOf, listKeysOf } from './write.ts'

/** Keys deleted per commit. */
const STEP = 500

/** Format 1 had one due list, without the ended jobs that have no expiry. Idempotent, so it can be repeated after an interruption. */
export async function addDueLists(kv: Deno.Kv): Promise<void> {
  for await (const entry of kv.list<Head | Gone>({ prefix: keys.jobs })) await addDue(kv, entry)
  await removeOldList(kv)
}

async function addDue(kv: Deno.Kv, entry: Deno.KvEntry<Head | Gone>): Promise<void> {
  for (let found: Deno.KvEntryMaybe<Head | Gone> = entry; ; found = await kv.get<Head | Gone>(entry.key)) {
    if (found.value === null || 'gone' in found.value) return
    const { header } = found.value
    const due = dueOf(found.value)
    if (!due) return
    const { ok } = await kv.atomic().check(found).set(keys.due(due, header.id), header.createdBy).commit()
    if (ok) return
  }
}

async function removeOldList(kv: Deno.Kv): Promise<void> {
  // The next part of old keys is a number, that of new keys a list's name; strings sort before numbers.
  const selector = { start: [...keys.oldDues, Number.NEGATIVE_INFINITY], end: [...keys.oldDues, true] }
  for (;;) {
    const old = await Array.fromAsync(kv.list(selector, { limit: STEP }))
    if (old.length === 0) return
    const operation = kv.atomic()
    for (const { key } of old) operation.delete(key)
    await operation.commit()
  }
}

/** Adds the indexes of all jobs, which format 1 lacks. Idempotent. */
export async function listAmongEveryones(kv: Deno.Kv): Promise<void> {
  for await (const { key } of kv.list({ prefix: keys.jobs })) {
    for (let isWritten = false; !isWritten; ) {
      const found = await kv.get<Head | Gone>(key)
      if (!found.value || !('life' in found.value)) break
      const { header, seq } = found.value
      // Commit only if the job is unchanged: another process may be writing it.
      const operation = kv.atomic().check(found)
      for (const place of listKeysOf(undefined, header, seq)) operation.set(place, listedOf(header))
      isWritten = (await operation.commit()).ok
    }
  }
}
