/** Prints what came of a job on each engine that Bun and Deno have in common. */
import { MemoryEngine } from 'milepost/engines/memory'
import { SqliteEngine } from 'milepost/engines/sqlite'
import { emitProgress } from 'milepost/server'
import { reportOn } from './report.ts'

emitProgress('import-1', { done: 13 })
console.log(await reportOn(new MemoryEngine()))
console.log(await reportOn(await SqliteEngine.open('jobs.db')))
