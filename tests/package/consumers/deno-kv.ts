/** Prints what came of a job in Deno KV. */
import { DenoKvEngine } from 'milepost/engines/deno-kv'
import { reportOn } from './report.ts'

console.log(await reportOn(await DenoKvEngine.open('jobs.kv')))
