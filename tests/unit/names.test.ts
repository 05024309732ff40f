import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'

const EXPORT =
  /^export (?:async |abstract |default |declare )*(?:function\*?|class|const|let|type|interface|enum) +([\w$]+)/gm

describe('names', () => {
  test('no two files export the same name', async () => {
    const files = new Map<string, string[]>()
    for await (const path of new Glob('{shared,server,client}/**/*.{ts,tsx}').scan('.')) {
      // The entries of the builds export what their tools look for.
      if (path.startsWith('server/generated/')) continue
      for (const [, name = ''] of (await Bun.file(path).text()).matchAll(EXPORT)) {
        files.set(name, [...new Set([...(files.get(name) ?? []), path])])
      }
    }
    expect(files.size).toBeGreaterThan(300)
    expect([...files].filter(([, paths]) => paths.length > 1)).toEqual([])
  })
})
