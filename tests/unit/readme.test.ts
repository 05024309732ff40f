import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import packageJson from '../../package.json' with { type: 'json' }
import { scopes } from '../../server/access.ts'
import { eventSchema } from '../../shared/events.ts'

const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'] as const
const texts = await Promise.all(documents.map(async (name) => [name, await Bun.file(name).text()] as const))
const readme = texts[0]?.[1] ?? ''

describe('README', () => {
  test('README names every event and all of its fields', () => {
    const rows = new Map(
      [...readme.matchAll(/^\| `(\w+)` +\|[^|]*\|([^|]*)\|/gm)].map(([, type, fields]) => [type, fields]),
    )
    for (const option of eventSchema.options) {
      const { type, ...fields } = option.shape
      const names = [...(rows.get(type.value) ?? '').matchAll(/`(\w+)\??`/g)].map(([, name]) => name)
      expect([type.value, names.sort()]).toEqual([type.value, Object.keys(fields).sort()])
    }
  })

  test('README names every scope', () => {
    for (const scope of scopes) expect(readme).toContain(`\`${scope}\``)
  })

  test.each(texts)('%s calls only scripts that there are', (_, text) => {
    for (const [, name = ''] of text.matchAll(/npm (?:run )?([a-z:-]+)/g)) {
      const isNpmsOwn = ['install', 'pack', 'ci'].includes(name)
      expect([name, isNpmsOwn || name in packageJson.scripts]).toEqual([name, true])
    }
  })

  test.each(texts)('%s links and names only files that there are', (_, text) => {
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g), ...text.matchAll(/src(?:set)?="([^":]+\.png)"/g)]
    const names = [...text.matchAll(/`((?:server|client|shared|tests)\/[\w./-]+)`/g)]
    for (const [, path = ''] of [...links, ...names]) expect([path, existsSync(path)]).toEqual([path, true])
  })
})
