import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'

const EXPORT =
  /^export (?:async |abstract |default |declare )*(?:function\*?|class|const|let|type|interface|enum) +(\w+)/gm

/** The names between the braces of an import, of an export of another file's names, and of a dynamic import. */
const IMPORT =
  /^ *(?:import|export)\b[^'"=]*?\{([^}]*)\} from|\{([^}]*)\} = \(?await import|(?:more\(\)|import\([^)]*\))\s*\.then\(\s*\(\{([^}]*)\}/gm

/** Exported ahead of the routes of tenants, which will import them. */
const AHEAD = ['qualifyHeader', 'anyJobIdSchema', 'tenantSchema']

/** Files of code with their texts. Those of `server/generated` export what the builds look for. */
async function textsOf(pattern: string): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  for await (const path of new Glob(pattern).scan('.')) {
    if (path.startsWith('server/generated/')) continue
    // Apps that other tests write come and go.
    const text = await Bun.file(path)
      .text()
      .catch(() => undefined)
    if (text !== undefined) texts.set(path, text)
  }
  return texts
}

/** For each exported name the files that export it. */
function exportsIn(texts: Map<string, string>): Map<string, string[]> {
  const files = new Map<string, string[]>()
  for (const [path, text] of texts)
    for (const [, name = ''] of text.matchAll(EXPORT)) files.set(name, [...new Set([...(files.get(name) ?? []), path])])
  return files
}

describe('names', () => {
  test('no two files export the same name', async () => {
    const files = exportsIn(await textsOf('{shared,server,client}/**/*.{ts,tsx}'))
    expect(files.size).toBeGreaterThan(300)
    expect([...files].filter(([, paths]) => paths.length > 1)).toEqual([])
  })

  test('another file imports what a file exports', async () => {
    const imported = new Set(AHEAD)
    for (const [, text] of await textsOf('{shared,server,client,tests}/**/*.{ts,tsx}'))
      for (const [, names, dynamic, later] of text.matchAll(IMPORT))
        for (const [name] of (names ?? dynamic ?? later ?? '').matchAll(/\w+/g)) imported.add(name)
    const files = exportsIn(await textsOf('{shared,server,client}/**/*.{ts,tsx}'))
    const unused = [...files].filter(([name]) => !imported.has(name))
    expect(unused.map(([name, [path]]) => `${path}: ${name}`)).toEqual([])
  })
})
