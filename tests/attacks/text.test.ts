import { describe, expect } from 'bun:test'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { parseEventStream } from '../event-stream-parser.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { attack } from './attack.ts'

const texts = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '</script><svg onload=alert(1)>',
  'javascript:alert(1)//',
  '\n\nevent: end\ndata: {"reason":"deleted"}\n\n',
  'a\rb\nc\u2028d\u2029e\0f',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u202egnp.exe',
]

const eventsOf = (text: string): ProducerEvent[] => [
  { type: 'status', status: 'running', message: text, title: text, metadata: { [text]: text } },
  { type: 'progress', done: 1, unit: text, message: text },
  { type: 'item', id: text, label: text, message: text, error: text },
  { type: 'step', id: text, label: text, message: text },
  { type: 'error', message: text, code: text, itemId: text },
  { type: 'log', message: text },
  { type: 'status', status: 'completed', message: text, result: { [text]: [text] } },
]

describe('attacks by text', () => {
  attack('Scripts, line breaks', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const pages = ['', 'docs', 'sign-in?code=x']
    let [inPages, inHeaders, messages, events] = [0, 0, 0, 0]
    const look = async (response: Response, isPage: boolean) => {
      const text = await response.text()
      const headers = JSON.stringify([...response.headers])
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      if (isPage && texts.some((sent) => text.includes(sent))) inPages += 1
      if (texts.some((sent) => headers.includes(sent) || headers.includes('owned'))) inHeaders += 1
      return text
    }
    for (const text of texts) {
      const { id } = await ada.create({ kind: text, title: text, metadata: { [text]: text } })
      const stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.take(1)
      for (const event of eventsOf(text)) {
        await ada.publish(id, event)
        events += 1
      }
      await stream.rest()
      const named = ['snapshot', 'patch', 'ping', 'end']
      const parsed = parseEventStream(stream.text).dispatched
      // Several events may leave as one patch: each says up to which version it goes.
      const versions = parsed
        .filter(({ event }) => !named.includes(event) || event === 'patch')
        .map(({ data }) => JSON.parse(data))
      messages += (versions.at(-1)?.to ?? versions.at(-1)?.version ?? 1) - 1
      expect(parsed.filter(({ event }) => event === 'end').map(({ data }) => data)).toEqual(['{"reason":"completed"}'])
      const job = await ada.read(id)
      expect([job.title, job.items[0]?.id, job.logs[0]?.message]).toEqual([text, text, text])
      const answer = await ada.request('GET', `api/jobs/${id}`)
      expect(answer.headers.get('content-type')).toBe('application/json')
      await look(answer, false)
      await look(await ada.request('GET', `api/jobs?kind=${encodeURIComponent(text)}`), false)
      for (const page of pages) await look(await ada.request('GET', page), true)
      for (const path of ['jobs/', 'docs/']) await look(await ada.request('GET', path + encodeURIComponent(text)), true)
    }
    const isSame = messages === events
    return {
      gets: `the text as it was sent, as JSON that no browser takes for a page; ${inPages} of 5 pages and ${inHeaders} headers have any of it`,
      others: isSame
        ? 'messages of a stream, one for each event: no text makes another'
        : `messages for ${messages} of ${events} events`,
    }
  })
})
