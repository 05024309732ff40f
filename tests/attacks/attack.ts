import { expect, test } from 'bun:test'
import { type Attack, attacks } from './attacks.ts'

/** What a test found: what the attacker got, and what others noticed. */
export type Found = Pick<Attack, 'gets' | 'others'>

/** A test of the attack in the table that begins so: what it finds must be what the table says. */
export function attack(begins: string, run: () => Promise<Found>): void {
  const made = Object.values(attacks)
    .flat()
    .filter((known) => known.attack.startsWith(begins))
  const [known] = made
  if (!known || made.length > 1) throw new Error(`${made.length} attacks of the table begin so: ${begins}`)
  test(known.attack, async () => {
    const { gets, others } = await run()
    expect({ gets, others }).toEqual({ gets: known.gets, others: known.others })
  }, 180_000)
}

/** How a number of answers went: `401, 12 of 12 times`, or what else there was. */
export function tally(statuses: readonly number[], expected: readonly number[]): string {
  const others = statuses.filter((status) => !expected.includes(status))
  const all = `${expected.join(' or ')}, ${statuses.length - others.length} of ${statuses.length} times`
  return others.length > 0 ? `${all}; else ${[...new Set(others)].sort().join(', ')}` : all
}
