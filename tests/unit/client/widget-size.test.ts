import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import { z } from 'zod'
import { jobEnglish } from '../../../client/text/job-language.ts'
import { bundle, internalNames } from '../../../server/cli/build/bundle.ts'
import { jobSchema } from '../../../shared/document/job.ts'
import { problemSchema } from '../../../shared/wire/api.ts'

/** What `/widget.js` may weigh on the wire: bytes, with gzip. All of it is read before a job is seen. */
const BUDGET = 11 * 1024

describe('define.ts', () => {
  test('define.ts is a small bundle, as it is served: everything that the element needs, and no schemas', async () => {
    const text = await bundle('client/element/define.ts')
    expect([text.includes('job-progress'), text.includes('ZodError')]).toEqual([true, false])
    expect(Bun.gzipSync(Buffer.from(text), { level: 9 }).length).toBeLessThanOrEqual(BUDGET)
  })

  test('full.ts, which a page loads for the variant full alone, is at most 20 KB', async () => {
    const text = await bundle('client/element/full.ts')
    expect(text).toContain('Keep it running')
    expect(Bun.gzipSync(Buffer.from(text), { level: 9 }).length).toBeLessThanOrEqual(20 * 1024)
  })

  test('define.ts abbreviates no name of a document, of a problem, of a language, of JavaScript or of the DOM', async () => {
    const wire = JSON.stringify([z.toJSONSchema(jobSchema), z.toJSONSchema(problemSchema)])
    const messages = ['jobId', 'cursor', 'from', 'to', 'job', 'more', 'at', 'reason']
    const names = new Set([...wire.matchAll(/"(\w+)":/g)].map(([, name = '']) => name))
    for (const name of [...messages, ...Object.keys(jobEnglish)]) names.add(name)
    for await (const path of new Glob('node_modules/@typescript/*/lib/lib.{dom,es*}.d.ts').scan()) {
      const text = await Bun.file(path).text()
      for (const [, name = ''] of text.matchAll(/^ +(?:readonly |get |set )?"?(\w+)"?\??[:(<]/gm)) names.add(name)
    }
    expect(names.has('querySelector')).toBe(true)
    expect(internalNames.filter((name) => names.has(name))).toEqual([])
  })
})
