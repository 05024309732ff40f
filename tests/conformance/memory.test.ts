import { MemoryEngine } from '../../server/engines/memory.ts'
import { describeEngine } from './engine/engine.ts'
import type { OpenEngine } from './fixtures.ts'

const open: OpenEngine = async (limits) => {
  const engine = new MemoryEngine(limits && { limits })
  return { engine, release: () => engine.close() }
}

describeEngine('memory', open)
describeEngine('memory', open, { tenant: 'acme' })
