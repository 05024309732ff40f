import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { slugOf, toPage } from '../../server/cli/build/docs.ts'
import { limitVariable, secretSettings, settings } from '../../server/config.ts'
import { problems } from '../../server/errors.ts'
import { assets } from '../../server/generated/assets.ts'
import { eventSchema } from '../../shared/document/events.ts'
import { defaultLimits } from '../../shared/document/limits.ts'
import { problemTypes } from '../../shared/wire/api.ts'

const names = readdirSync('server/docs').flatMap((file) => /^(.+)\.md$/.exec(file)?.[1] ?? [])
const texts = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, await Bun.file(`server/docs/${name}.md`).text()] as const)),
) as Record<string, string>

/** The cells of the rows of all tables. */
const rowsOf = (name: string) =>
  [...(texts[name] ?? '').matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | ').map((cell) => cell.trim()))

const row = (name: string, first: string) => rowsOf(name).find(([cell]) => cell === `\`${first}\``)

describe('server/docs', () => {
  test('settings.md has every setting, with the default that the help tells', () => {
    for (const [name, help] of Object.entries(settings)) {
      const [, shown] = row('settings', name) ?? []
      expect([name, shown === undefined]).toEqual([name, false])
      const byDefault = /(\S+?)(?: \(.*\))? by default\./.exec(help)?.[1] ?? ''
      if (/^[0-9]|:/.test(byDefault)) expect([name, shown]).toEqual([name, expect.stringContaining(byDefault)])
    }
  })

  test('settings.md has every limit, with its default', () => {
    for (const [name, value] of Object.entries(defaultLimits)) {
      const [, shown] = row('settings', limitVariable(name)) ?? []
      expect([name, shown]).toEqual([name, value.toLocaleString('en')])
    }
  })

  test('settings.md names no setting that there is not', () => {
    const known = [...Object.keys(settings), ...secretSettings, ...Object.keys(defaultLimits).map(limitVariable)]
    for (const [first = ''] of rowsOf('settings')) {
      const name = /^`((?:MILEPOST_)?[A-Z_]+)`$/.exec(first)?.[1]
      if (name !== undefined) expect(known).toContain(name)
    }
  })

  test('errors.md has every type of problem, with its status', () => {
    const statuses = new Map(rowsOf('errors').map(([status, type]) => [type, status]))
    for (const type of problemTypes) expect([type, statuses.has(`\`${type}\``)]).toEqual([type, true])
    for (const { type, status } of [
      problems.malformed(''),
      problems.unauthenticated(),
      problems.forbidden(''),
      problems.notFound(),
      problems.conflict(''),
      problems.tooLarge(''),
      problems.unsupportedType('Content-Type', ''),
      problems.invalid([]),
      problems.tooMany('streams', ''),
      problems.internal(),
      problems.unavailable(),
      problems.full(),
    ])
      expect([type, statuses.get(`\`${type}\``)]).toEqual([type, `${status}`])
  })

  test('errors.md names every limit of a 429', () => {
    for (const name of [
      ...Object.keys(defaultLimits).filter((limit) => /PerSecond$|treams$|liveJobs|kept|services/.test(limit)),
      'largeReads',
      'removals',
    ])
      expect(texts.errors).toContain(`\`${name}\``)
  })

  test('wire.md names every event and all of its fields', () => {
    for (const option of eventSchema.options) {
      const { type, ...fields } = option.shape
      const [, shown = ''] =
        rowsOf('wire').find(([cell, rest]) => cell === `\`${type.value}\`` && rest?.includes('?')) ?? []
      const found = [...shown.matchAll(/`(\w+)\??`/g)].map(([, name]) => name)
      for (const field of Object.keys(fields))
        expect([type.value, found]).toEqual([type.value, expect.arrayContaining([field])])
    }
  })

  test.each(names)('%s.md links to pages and sections that there are', (name) => {
    for (const [, href = ''] of (texts[name] ?? '').matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https:/.test(href)) continue
      const [file = '', section] = href.split('#')
      const target = file === '' ? name : file.replace(/\.md$/, '')
      expect([href, names.includes(target)]).toEqual([href, true])
      const headings = [...(texts[target] ?? '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slugOf(heading))
      if (section !== undefined) expect([href, headings]).toEqual([href, expect.arrayContaining([section])])
    }
  })

  test.each(names)('%s.md names only files that there are', (name) => {
    for (const [, path = ''] of (texts[name] ?? '').matchAll(/`((?:server|client|shared|tests)\/[\w./-]+)`/g))
      expect([path, existsSync(path)]).toEqual([path, true])
  })

  test.each(names)('%s.md has one heading of level 1, first, and skips no level', (name) => {
    const levels = [...(texts[name] ?? '').replace(/^```.*?^```$/gms, '').matchAll(/^(#+) /gm)].map(
      ([, marks = '']) => marks.length,
    )
    expect(levels.filter((level) => level === 1)).toEqual([1])
    expect(levels[0]).toBe(1)
    for (const [index, level] of levels.entries()) expect(level).toBeLessThanOrEqual((levels[index - 1] ?? 0) + 1)
  })

  test('the build has every page, and no style or script in it', () => {
    expect(assets.docs?.map(({ path }) => path).toSorted()).toEqual(
      names.map((name) => (name === 'index' ? 'docs' : `docs/${name}`)).toSorted(),
    )
    expect(assets.docs?.[0]?.path).toBe('docs')
    for (const { html } of assets.docs ?? []) expect(html).not.toMatch(/ style=|<script|<style/)
  })
})

describe('toPage', () => {
  test('toPage makes links relative to where the server is mounted', () => {
    const { html, path } = toPage('wire', '# A\n\n[b](errors.md#c) [d](#e) [f](index.md) [g](https://h.example/)')
    expect(path).toBe('docs/wire')
    expect([...html.matchAll(/href="([^"]+)"/g)].map(([, href]) => href)).toEqual([
      'docs/errors#c',
      'docs/wire#e',
      'docs',
      'https://h.example/',
    ])
  })

  test.each([
    ['raw HTML', '<b>'],
    ['an image', '![a](b.png)'],
    ['a link to what is no page', '[a](../app.ts)'],
    ['a link that is a script', '[a](javascript:alert(1))'],
  ])('toPage refuses %s', (_, markdown) => {
    expect(() => toPage('wire', `# A\n\n${markdown}`)).toThrow('server/docs/wire.md')
  })

  test('toPage escapes code, and names each region by itself', () => {
    const { html, title, sections } = toPage('wire', '# A `b`\n\n## C & d\n\n```js\n<i>&"\n```\n\n```js\n1\n```')
    expect([title, sections]).toEqual(['A b', [{ id: 'c--d', title: 'C & d' }]])
    expect(html).toContain('&lt;i&gt;&amp;&quot;')
    const labels = [...html.matchAll(/aria-label="([^"]+)"/g)].map(([, label]) => label)
    expect(labels).toEqual(['C &amp; d: example 1', 'C &amp; d: example 2'])
  })
})
