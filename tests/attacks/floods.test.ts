import { describe } from 'bun:test'
import { defaultLimits } from '../../shared/document/limits.ts'
import { ApiClient, refusalOf } from '../support/api-client.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { attack, tally } from './attack.ts'
import { othersNotice } from './others.ts'

const FORM = { 'content-type': 'multipart/form-data; boundary=b' }
/** Services that a principal may have at once. */
const { services: SERVICES } = defaultLimits

describe('floods', () => {
  attack('2,000 requests at once', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const strangers = [new ApiClient(server.url), new ApiClient(server.url, 'x.y.z')]
    const seen = new Set<number | undefined>()
    const flood = Array.from({ length: 2_000 }, async (_, n) => {
      const response = await strangers[n % 2]?.request('GET', 'api/jobs')
      await response?.body?.cancel()
      seen.add(response?.status)
    })
    const others = await othersNotice(ada)
    await Promise.all(flood)
    const [first, ...then] = seen
    return { gets: `${first} for the first, then ${then.join(' and ')}`, others }
  })

  attack('300 connections with an incomplete request', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const open = await Promise.all(Array.from({ length: 300 }, () => RawConnection.open(server.url)))
    for (const [n, connection] of open.entries()) {
      connection.write(
        n % 2 === 0
          ? 'POST /api/jobs HTTP/1.1\r\nhost: localhost\r\nx-half: '
          : 'POST /api/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{',
      )
    }
    const others = await othersNotice(ada)
    const answered = open.filter(({ text }) => /^HTTP\/1\.1 [1235]/.test(text)).length
    for (const connection of open) connection.destroy()
    return { gets: answered === 0 ? 'no answer' : `${answered} answers`, others }
  })

  attack('100 streams that are opened and not read', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const token = await accessToken('mallory')
    const mallory = new ApiClient(server.url, token)
    const { id } = await mallory.create()
    const open = await Promise.all(Array.from({ length: 100 }, () => RawConnection.open(server.url)))
    for (const connection of open)
      await connection.get(`/api/jobs/${id}/progress`, { authorization: `Bearer ${token}` })
    for (const connection of open) connection.stall()
    for (let n = 0; n < 300; n += 1) await mallory.publish(id, { type: 'log', message: `${n} ${'m'.repeat(8_000)}` })
    const others = await othersNotice(ada)
    open[0]?.resume()
    await open[0]?.receiveBody(/"message":"299 m/)
    const isWhole = open[0]?.isClosed === false
    for (const connection of open) connection.destroy()
    return { gets: isWhole ? 'what there is when it reads' : 'an end of its stream', others }
  })

  attack('Streams of 100 large jobs', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const token = await accessToken('mallory')
    const mallory = new ApiClient(server.url, token)
    const metadata = { text: 'm'.repeat(16_000) }
    for (let n = 0; n < 100; n += 1) await mallory.create({ id: `mallory-${n}`, metadata })
    const named = Array.from({ length: 100 }, (_, n) => `job=mallory-${n}`).join('&')
    let [opened, isOver] = [0, false]
    const flood = ['api/progress', `api/progress?${named}`].map(async (path) => {
      for (; !isOver; opened += 1) {
        const connection = await RawConnection.open(server.url)
        await connection.get(`/${path}`, { authorization: `Bearer ${token}` })
        connection.destroy()
      }
    })

    const others = await othersNotice(ada)
    isOver = true
    await Promise.all(flood)
    return { gets: opened > 2 ? 'what fits in its turns' : 'hardly anything', others }
  })

  attack('More streams than', async () => {
    await using server = await ServerProcess.start({ MILEPOST_STREAMS: '3' })
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const streams = await Promise.all(Array.from({ length: 3 }, () => mallory.stream('api/progress')))
    const fourth = await mallory.request('GET', 'api/progress')
    const hasWait = fourth.headers.get('retry-after') !== null
    const { status } = await refusalOf(fourth)
    const others = await othersNotice(ada)
    for (const stream of streams) await stream.close()
    return { gets: `${status}${hasWait ? ', with Retry-After' : ''}`, others }
  })

  attack('An upload that declares', async () => {
    await using server = await ServerProcess.start({ MILEPOST_UPLOAD_BYTES: '100000' })
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const others = othersNotice(ada)
    const body = 'x'.repeat(200_000)
    const said = await mallory.request('POST', 'api/services/analysis', body, FORM)
    const found = await mallory.request('POST', 'api/services/analysis', new Response(body).body, FORM)
    return { gets: tally([said.status, found.status], [413]), others: await others }
  })

  attack('12 concurrent uploads', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const token = await accessToken('mallory')
    const open = await Promise.all(Array.from({ length: 12 }, () => RawConnection.open(server.url)))
    const size = 1_000_000
    const request = [
      'POST /api/services/analysis HTTP/1.1',
      'host: localhost',
      `authorization: Bearer ${token}`,
      `content-type: ${FORM['content-type']}`,
      'transfer-encoding: chunked',
      '',
      `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`,
    ]
    for (const connection of open) connection.write(request.join('\r\n'))
    const refused: number[] = []
    const { promise: areFew, resolve } = Promise.withResolvers<void>()
    for (const connection of open) {
      void connection.receive(/\r\n\r\n/).then(() => {
        refused.push(Number(connection.text.split(' ')[1]))
        if (refused.length === open.length - SERVICES) resolve()
      })
    }
    await areFew
    const others = await othersNotice(ada)
    const gets = `${tally(refused, [429])}; ${open.length - refused.length} are read on`
    for (const connection of open) connection.destroy()
    return { gets, others }
  })
})
