import { describe, expect, test } from 'bun:test'
import type { Batch } from '../../../server/jobs/engine.ts'
import { KEY_LIFETIME, KEYS_KEPT } from '../../../server/jobs/idempotency.ts'
import { CREATED_AT } from '../../arbitraries.ts'
import { batchOf, created, publish, refusal, type Subject, taken } from '../fixtures.ts'

/**
 * A batch with a key, taken so many milliseconds after the job was created, by a server that was there for long before: its clock, not the
 * engine's, ages keys.
 */
function keyed(key: string, after = 0, more: Partial<Batch> = {}): Batch {
  const now = Date.parse(CREATED_AT) + after
  return { ...keyedByNew(key, after), keyHorizon: now - KEY_LIFETIME, ...more }
}

/** The same, by a server that has been there for less than the lifetime of keys. */
function keyedByNew(key: string, after: number): Batch {
  const at = new Date(Date.parse(CREATED_AT) + after).toISOString()
  return batchOf([{ type: 'log', message: key }], { at, key: { key, digest: `digest of ${key}` } })
}

/** How a repeated batch is known. */
export function describeKeys(subject: Subject): void {
  describe('idempotency keys', () => {
    test('apply of a repeated key answers the present header and applies nothing', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      expect(await engine.apply(id, keyed('k'))).toMatchObject({ repeat: false, header: { version: 2 } })
      await publish(engine, id, [{ type: 'progress', done: 1 }])
      const header = (await engine.read(id))?.header
      expect<unknown>(await engine.apply(id, keyed('k'))).toEqual({ header, repeat: true })
      expect<unknown>((await engine.read(id))?.header).toEqual(header)
    })

    test('apply of a repeated key is answered even when the job has ended', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      taken(await engine.apply(id, keyed('k')))
      await publish(engine, id, [{ type: 'status', status: 'completed' }])
      const repeated = await engine.apply(id, keyed('k'))
      expect(repeated).toMatchObject({ repeat: true, header: { version: 3, status: 'completed' } })
    })

    test('apply of a repeated key is still refused to another than the creator', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      taken(await engine.apply(id, keyed('k')))
      expect(refusal(await engine.apply(id, keyed('k', 0, { createdBy: 'eve' })))?.status).toBe(404)
    })

    test('apply of a known key with another body answers 422', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      taken(await engine.apply(id, keyed('k')))
      const other = await engine.apply(id, keyed('k', 0, { key: { key: 'k', digest: 'another' } }))
      expect(refusal(other)).toEqual({ status: 422, fields: ['Idempotency-Key'] })
      expect((await engine.read(id))?.header.version).toBe(2)
    })

    test('apply knows the keys of each job apart', async () => {
      const { engine } = subject
      const [a, b] = [await created(engine), await created(engine)]
      for (const { id } of [a, b]) expect(await engine.apply(id, keyed('k'))).toMatchObject({ repeat: false })
    })

    test('apply that is refused does not use up its key', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const refused = keyed('k', 0, { epoch: 'other' })
      expect(refusal(await engine.apply(id, refused))?.status).toBe(404)
      expect(await engine.apply(id, keyed('k'))).toMatchObject({ repeat: false })
    })

    test('apply of one key by many at once applies it once', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const answers = await Promise.all(Array.from({ length: 20 }, () => engine.apply(id, keyed('k'))))
      expect(answers.filter((answer) => 'repeat' in answer && !answer.repeat)).toHaveLength(1)
      expect((await engine.read(id))?.header.version).toBe(2)
    })

    test('apply forgets a key after an hour, and not before', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      taken(await engine.apply(id, keyed('k')))
      expect(await engine.apply(id, keyed('k', KEY_LIFETIME - 1))).toMatchObject({ repeat: true })
      expect(await engine.apply(id, keyed('k', KEY_LIFETIME))).toMatchObject({ repeat: false, header: { version: 3 } })
      expect(await engine.apply(id, keyed('k', 2 * KEY_LIFETIME - 1))).toMatchObject({ repeat: true })
      expect(await engine.apply(id, keyed('k', 2 * KEY_LIFETIME))).toMatchObject({ repeat: false })
    })

    test('apply for a server that has not been there for an hour forgets no key for its age', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      taken(await engine.apply(id, keyedByNew('k', 0)))
      const day = 24 * KEY_LIFETIME
      // New keys are what engines clear old ones away with.
      for (let number = 0; number < 20; number++) taken(await engine.apply(id, keyedByNew(`k${number}`, day)))
      expect(await engine.apply(id, keyedByNew('k', day))).toMatchObject({ repeat: true })
      expect(await engine.apply(id, keyed('k', day))).toMatchObject({ repeat: false })
    })

    test('apply counts a key that came again after its lifetime as the newest', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      taken(await engine.apply(id, keyed('k')))
      for (let number = 2; number <= KEYS_KEPT; number++)
        taken(await engine.apply(id, keyed(`k${number}`, KEY_LIFETIME)))
      expect(await engine.apply(id, keyed('k', KEY_LIFETIME))).toMatchObject({ repeat: false })
      taken(await engine.apply(id, keyed('another', KEY_LIFETIME)))
      expect(await engine.apply(id, keyed('k', KEY_LIFETIME))).toMatchObject({ repeat: true })
    })

    test('apply keeps the last 256 keys of a job', async () => {
      const { engine } = subject
      const { id } = await created(engine)
      const use = async (from: number, to: number) => {
        for (let number = from; number <= to; number++) taken(await engine.apply(id, keyed(`k${number}`)))
      }
      const isKnown = async (number: number) => {
        const probe = await engine.apply(id, keyed(`k${number}`, 0, { key: { key: `k${number}`, digest: 'another' } }))
        return refusal(probe)?.status === 422
      }
      await use(1, KEYS_KEPT)
      expect(await isKnown(1)).toBe(true)
      await use(KEYS_KEPT + 1, KEYS_KEPT + 1)
      expect(await engine.apply(id, keyed('k1'))).toMatchObject({ repeat: false })
      // k1 came again, so k2 is gone now, and k3 is the oldest.
      expect(await isKnown(3)).toBe(true)
      await use(1_001, 1_000 + 2 * KEYS_KEPT)
      expect(await isKnown(1_001 + KEYS_KEPT)).toBe(true)
      expect(await isKnown(1_000 + 2 * KEYS_KEPT)).toBe(true)
      expect(await engine.apply(id, keyed(`k${1_000 + KEYS_KEPT}`))).toMatchObject({ repeat: false })
    })
  })
}
