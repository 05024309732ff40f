import { placeBetween } from '../marks.ts'
import { attacks } from './attacks.ts'

/** The document that has the table. */
export const DOCUMENT = 'SECURITY.md'

/** The attacks as a table of Markdown. */
function renderAttacks(): string {
  const lines = Object.entries(attacks).flatMap(([area, rows]) => [
    `| **${area}** | | | |`,
    ...rows.map(({ attack, gets, others, file }) => `| ${attack} | ${gets} | ${others} | \`tests/${file}\` |`),
  ])
  return [
    '| attack | what the attacker gets | what others notice | test |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}

/** The text of a document with the table in its place. */
export const placeAttacks = (document: string): string => placeBetween(document, 'attacks', renderAttacks())

/** The attacks that a JUnit report of all tests does not say to have been withstood. What is skipped is for others to mind. */
export function missingIn(report: string): string[] {
  const passed = [...report.matchAll(/<testcase name="([^"]*)"[^>]*(?:\/>|>\s*<skipped)/g)].map(([, name = '']) =>
    fromXml(name),
  )
  const rows = Object.values(attacks).flat()
  return rows.map(({ attack, test = attack }) => test).filter((test) => !passed.some((name) => name.startsWith(test)))
}

const fromXml = (text: string) =>
  text
    .replace(/&#x?([0-9a-f]+);/gi, (all, code: string) =>
      String.fromCodePoint(Number.parseInt(code, all[2] === 'x' ? 16 : 10)),
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
