import { describe, expect, test } from 'bun:test'
import { attacks } from './attacks.ts'
import { DOCUMENT, missingIn, placeAttacks } from './table.ts'

const text = await Bun.file(DOCUMENT).text()
const rows = Object.values(attacks).flat()

describe('the table of attacks', () => {
  test('the table of attacks in SECURITY.md is that of the suite: npm run attacks', () => {
    expect(placeAttacks(text)).toBe(text)
  })

  test.each(rows)('the attack "$attack" has a test', async ({ attack, file, test }) => {
    const source = await Bun.file(`tests/${file}`).text()
    const begins = [...source.matchAll(/attack\(\s*'([^']+)'/g)].map(([, begins = '']) => begins)
    const isThere =
      test === undefined
        ? begins.some((one) => attack.startsWith(one))
        : source.replaceAll(/\$\{\w+\}/g, 'bun').includes(test)
    expect(isThere).toBe(true)
  })

  test('every threat names tests that there are', async () => {
    const named = [...text.matchAll(/`(tests\/[^`]+)`/g)].map(([, path = '']) => path)
    expect(named.length).toBeGreaterThan(50)
    for (const path of named) {
      const isThere =
        (await Bun.file(path).exists()) || [...new Bun.Glob(`${path}/**/*.test.ts`).scanSync('.')].length > 0
      expect([path, isThere]).toEqual([path, true])
    }
  })

  test('each risk of the OWASP API Security Top 10, and each requirement of the ASVS that is named, has a test', () => {
    const checklists = text.slice(text.indexOf('## By checklist'), text.indexOf('Not met, on purpose'))
    const checked = [...checklists.matchAll(/^\| (API\d.*?|V\d.*?) \| (.+) \| (.*) \|$/gm)]
    for (const [, item = '', , tests = ''] of checked)
      expect([item, tests]).toEqual([item, expect.stringMatching(/`tests\//)])
    const risks = checked.flatMap(([, item = '']) => /^API(\d+):2023 /.exec(item)?.[1] ?? [])
    expect(risks).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'])
    const requirements = checked.flatMap(([, item = '']) => (item.startsWith('V') ? item.split(', ') : []))
    for (const one of requirements) expect(one).toMatch(/^V\d+\.\d+\.\d+$/)
    expect(new Set(requirements).size).toBe(requirements.length)
    expect(requirements.length).toBeGreaterThan(80)
  })

  test('missingIn names the attacks of which a report does not say that they were withstood', () => {
    const report = rows.map(({ attack, test = attack }) => `<testcase name="${test} …" time="1" />`).join('\n')
    expect(missingIn(report)).toEqual([])
    const first = rows[0]?.attack ?? ''
    const told = (outcome: string) =>
      report.replace(`${first} …" time="1" />`, `${first} …" time="1">\n<${outcome} /></testcase>`)
    expect(missingIn(told('failure'))).toEqual([first])
    expect(missingIn(told('skipped'))).toEqual([])
  })
})
