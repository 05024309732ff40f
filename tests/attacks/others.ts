import { expect } from 'bun:test'
import type { ApiClient } from '../support/api-client.ts'

const EVENTS = 20

/** Publishes events one after another, and says how they reach somebody who follows the job. */
export async function othersNotice(ada: ApiClient): Promise<string> {
  const { id } = await ada.create()
  await using stream = await ada.stream(`api/jobs/${id}/progress`)
  await stream.take(1)
  const arrived: unknown[] = []
  for (let done = 1; done <= EVENTS; done += 1) {
    await ada.publish(id, { type: 'progress', done })
    arrived.push((await stream.take(1))[0]?.data.done)
  }
  expect(arrived).toEqual(Array.from({ length: EVENTS }, (_, n) => n + 1))
  return `nothing: each of ${EVENTS} events arrives meanwhile, in order`
}
