import { describe, expect, test } from 'bun:test'
import { withPrefix } from '../../../../../server/auth/token-prefix.ts'
import type { ProblemDocument } from '../../../../../shared/wire/api.ts'
import { TestApp } from '../../../../support/test-app.ts'

/** DEL, two C1 controls, bidirectional controls, line separators, a tag, a zero-width space, a BOM. */
const UNSEEN = '\x7f\x85\x9b\u061c\u200e\u202e\u2066\u2028\u2029\u{e0041}\u200b\ufeff'

/** Refusals that repeat a name of the request. */
function refusals(app: TestApp, name: string): Promise<Response[]> {
  const quoted = encodeURIComponent(name)
  return Promise.all([
    app.request('POST', '/api/jobs', { kind: 'k', title: 't', [name]: 1 }),
    app.request('POST', '/api/jobs/x/events', { type: 'log', message: 'm', [name]: 1 }),
    app.request('GET', `/api/jobs?${quoted}=1`),
    app.request('POST', `/api/services/${quoted}`, undefined, { 'content-type': 'multipart/form-data; boundary=b' }),
  ])
}

describe('problemResponse', () => {
  test('escapes what a terminal obeys and what cannot be seen, and the parsed text is the same', async () => {
    const app = new TestApp()
    for (const response of await refusals(app, `x${UNSEEN}y`)) {
      const text = await response.text()
      expect([...text].filter((character) => UNSEEN.includes(character))).toEqual([])
      expect(text).toContain(
        'x\\u007f\\u0085\\u009b\\u061c\\u200e\\u202e\\u2066\\u2028\\u2029\\udb40\\udc41\\u200b\\ufeffy',
      )
      expect((JSON.parse(text) as ProblemDocument).detail).toContain(`x${UNSEEN}y`)
    }
  })

  test('leaves other text as it is', async () => {
    const [response] = await refusals(new TestApp(), 'Größe 寸法 🦊')
    expect(await response?.text()).toContain('"field":"Größe 寸法 🦊"')
  })

  test('cuts a token to its kind', async () => {
    const app = new TestApp()
    for (const kind of ['access', 'watch', 'publish', 'session'] as const) {
      for (const response of await refusals(app, withPrefix(kind, `ey.${'S'.repeat(60)}-_x`))) {
        const text = await response.text()
        expect(text).toContain(`mpst_${kind}_…`)
        expect(text).not.toMatch(/ey\.|S{3}/)
      }
    }
  })
})
