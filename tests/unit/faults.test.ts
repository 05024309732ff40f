import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'

const folder = new URL('../faults/', import.meta.url)
const text = await Bun.file(new URL('README.md', folder)).text()
/** Rows of faults, without the headings among them. */
const rows = [...text.matchAll(/^\| (?!what happens|---|\*\*)(.+) \| (.+) \| (.+) \|$/gm)].map((row) => row.slice(1, 4))

describe('the table of faults', () => {
  test.each(rows)('the fault "%s" has a test', async (_, _seen, tests = '') => {
    const named = [...tests.matchAll(/`([^`]+)`: ([^;]+)/g)]
    expect(named.length).toBe(tests.split('; ').length)
    for (const [, path = '', name = ''] of named) {
      const file = Bun.file(new URL(path, folder))
      expect([path, name, (await file.exists()) && (await file.text()).includes(name)]).toEqual([path, name, true])
    }
  })

  test('the table of faults has those of Redis that the documents tell operators', async () => {
    const documents = await Bun.file(new URL('../../server/docs/engines.md', folder)).text()
    const [, theirs = ''] = /^\| what happens \| what watchers see .*\n\| ---.*\n((?:\|.*\n)+)/m.exec(documents) ?? []
    const faults = [...theirs.matchAll(/^\| (.+?) \|/gm)].map(([, what]) => what)
    expect(faults.length).toBeGreaterThan(5)
    expect(faults.filter((what) => !rows.some(([fault]) => fault === what))).toEqual([])
  })

  test('the table of faults names every test beside it', () => {
    const files = [...new Glob('**/*.test.ts').scanSync(folder.pathname)]
    expect(rows.length).toBeGreaterThan(25)
    expect(files.filter((file) => !text.includes(`\`${file}\``))).toEqual([])
  })
})
