import { MemoryEngine } from '../../server/engines/memory.ts'
import { describeEngine } from './engine.ts'

describeEngine('memory', async (limits) => {
  const engine = new MemoryEngine(limits && { limits })
  return { engine, release: () => engine.close() }
})
