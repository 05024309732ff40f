import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { SqlValue } from '../../../../../server/engines/sqlite/database.ts'
import { PlanBuilder, statementsOf } from '../../../../../server/engines/sqlite/plan.ts'

describe('a plan', () => {
  const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'))
  const value: fc.Arbitrary<SqlValue> = fc.oneof(text, fc.maxSafeInteger(), fc.constant(null))
  const statement = fc.record({ sql: text.filter((sql) => sql !== ''), values: fc.array(value, { maxLength: 12 }) })

  test('gives its statements back as they were written', () => {
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 8 }), (statements) => {
        const plan = new PlanBuilder()
        for (const { sql, values } of statements) plan.write(sql, ...values)
        expect([...statementsOf(plan.take())]).toEqual(statements)
        expect(plan.take()).toBe('')
      }),
    )
  })

  test('refuses a text that SQLite would cut short', () => {
    expect(() => new PlanBuilder().write('INSERT INTO t VALUES (?)', 'a\0b')).toThrow(TypeError)
  })
})
