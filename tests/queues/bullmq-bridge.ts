/** A bridge in a process of its own, which tests kill: `bun bullmq-bridge.ts REDIS_PORT`, with `MILEPOST_URL` and `MILEPOST_TOKEN`. */
import { Queue } from 'bullmq'
import { reportBullMQ } from 'milepost/bullmq'

const { MILEPOST_URL: url = '', MILEPOST_TOKEN: token } = process.env
const queue = new Queue('exports', { connection: { port: Number(process.argv[2]) } })
queue.on('error', () => {})
reportBullMQ(queue, { url, token, onProblem: (problem) => console.log(problem) })
console.log('ready')
