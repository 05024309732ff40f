import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { scopes } from '../../server/auth/access.ts'

const documents = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...[
    'app',
    'engines',
    'errors',
    'frameworks',
    'styling',
    'index',
    'languages',
    'reporting',
    'running',
    'settings',
    'webhooks',
    'wire',
  ].map((name) => `server/docs/${name}.md`),
  ...['tests/bench/RESULTS.md', 'tests/conformance/README.md'],
]
const texts = await Promise.all(documents.map(async (name) => [name, await Bun.file(name).text()] as const))
const readme = texts[0]?.[1] ?? ''

describe('README', () => {
  test('README fits on two screens', () => {
    expect(readme.split('\n').length).toBeLessThan(130)
  })

  test('ARCHITECTURE.md has at most 150 lines', () => {
    expect(texts[1]?.[1].trimEnd().split('\n').length).toBeLessThanOrEqual(150)
  })

  test('running.md names every scope', async () => {
    const running = await Bun.file('server/docs/running.md').text()
    for (const scope of scopes) expect(running).toContain(`\`${scope}\``)
  })

  test.each(texts)('%s calls only scripts that there are', (_, text) => {
    for (const [, name = ''] of text.matchAll(/npm (?:run )?([a-z:-]+)/g)) {
      const isNpmsOwn = ['install', 'pack', 'ci'].includes(name)
      expect([name, isNpmsOwn || name in packageJson.scripts]).toEqual([name, true])
    }
  })

  test.each(texts)('%s links and names only files that there are', (document, text) => {
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g), ...text.matchAll(/src(?:set)?="([^":]+\.png)"/g)]
    const names = [...text.matchAll(/`((?:server|client|shared|tests)\/[\w./-]+)`/g)]
    const paths = [
      ...links.map(([, path = '']) => join(dirname(document), path)),
      ...names.map(([, path = '']) => path),
    ]
    for (const path of paths) expect([path, existsSync(path)]).toEqual([path, true])
  })
})
