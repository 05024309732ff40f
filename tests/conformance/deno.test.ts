import { onDeno } from '../support/on-deno.ts'
import { describeRuntime } from './runtime.ts'
import { startProcess } from './start-process.ts'

describeRuntime('deno', startProcess(onDeno('sqlite')), { noticesWithinMs: 1_000 })
describeRuntime('deno with deno-kv', startProcess(onDeno('deno-kv')), { noticesWithinMs: 1_000, batchEvents: 32 })
