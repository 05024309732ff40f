import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import type { CustomElementDeclaration } from 'custom-elements-manifest'
import schema from 'custom-elements-manifest/schema.json' with { type: 'json' }
import { z } from 'zod'
import manifest from '../../../../client/element/custom-elements.json' with { type: 'json' }
import { JobProgressElement } from '../../../../client/element/job-progress-element.ts'

const read = (name: string) => Bun.file(`client/element/${name}.ts`).text()
/** All that the element is made of, whatever loads it. */
const paths = await Array.fromAsync(new Glob('client/element/**/*.{ts,tsx}').scan('.'))
const code = (await Promise.all(paths.map((path) => Bun.file(path).text()))).join('\n')
const [module] = manifest.modules
const element = module?.declarations[0] as CustomElementDeclaration
const namesOf = (list: readonly { name: string }[] = []) => list.map(({ name }) => name).sort()
const matches = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort()

describe('custom-elements.json', () => {
  test('custom-elements.json is a manifest by its schema', () => {
    expect(z.fromJSONSchema(schema as unknown as z.core.JSONSchema.JSONSchema).parse(manifest)).toEqual(manifest)
  })

  test('custom-elements.json has the attributes and events of the element', () => {
    expect(namesOf(element.attributes)).toEqual([...JobProgressElement.observedAttributes].sort())
    const own = matches(code, /(?:tell|CustomEvent)\('(job-\w+)'/g)
    const platform = matches(
      code,
      /(?:tellPlatform\(|ENDS = .*?completed: |failed: |cancelled: )'(load|error|abort|loadend|progress)'/g,
    )
    expect(namesOf(element.events)).toEqual([...own, ...platform].sort())
  })

  test('custom-elements.json has every part and property of its style', () => {
    const made = matches(code, /(?:element|row)\(\s*'\w+',\s*'(\w+)'/g)
    const written = matches(code, /part=(?:"|\{`)([\w ]+)/g).flatMap((names) => names.trim().split(' '))
    expect(namesOf(element.cssParts)).toEqual([...new Set([...made, ...written, 'ring'])].sort())
    expect(namesOf(element.cssProperties)).toEqual(matches(code, /var\((--job-progress-[\w-]+)/g))
  })

  test('custom-elements.json has the public members of the class, which have descriptions', async () => {
    const text = await read('job-progress-element')
    const own = matches(text, /^ {2}(?:static (?:readonly )?|get )?(\w+)(?:\(.*\)|\??): .*$/gm)
    const handed = ['observedAttributes']
    expect(namesOf(element.members)).toEqual(own.filter((name) => !handed.includes(name) && !name.endsWith('Callback')))
    for (const { description } of element.members ?? []) expect(description).toBeTruthy()
  })
})
