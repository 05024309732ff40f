import { describe, expect, test } from 'bun:test'
import { parseAddress } from '../../../../server/support/ip-address.ts'
import { isPublicAddress } from '../../../../server/webhooks/addresses.ts'

const isPublic = (text: string) => isPublicAddress(parseAddress(text) ?? new Uint8Array(4))

describe('isPublicAddress', () => {
  test.each([
    ...['8.8.8.8', '1.1.1.1', '93.184.215.14', '100.63.255.255', '100.128.0.1', '172.15.0.1', '172.32.0.1'],
    ...['192.167.0.1', '198.20.0.1', '223.255.255.255', '2606:2800:21f::1', '2a00:1450:4001::200e'],
  ])('isPublicAddress of %s is true', (text) => {
    expect(isPublic(text)).toBe(true)
  })

  test.each([
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.8', '192.0.2.1', '192.168.1.1', '198.18.0.1', '198.51.100.7', '203.0.113.9'],
    ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '::', '::1', '::ffff:10.0.0.1'],
    ...['::ffff:127.0.0.1', '::7f00:1', '64:ff9b::a00:1', '64:ff9b:1::a00:1', '100::1', '2001::1', '2001:db8::1'],
    ...['2002:a00:1::1', '3fff::1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1'],
  ])('isPublicAddress of %s is false', (text) => {
    expect(isPublic(text)).toBe(false)
  })
})
