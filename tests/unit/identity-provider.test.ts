import { expect, test } from 'bun:test'
import { IdentityProvider } from '../support/identity-provider.ts'

test('IdentityProvider.start throws when the provider ends before it listens', async () => {
  const provider = new IdentityProvider()
  await expect(provider.start('a:NO-ALGORITHM')).rejects.toThrow(
    'The identity provider ended with 1 before it listened on http://127.0.0.1:',
  )
  await provider.stop()
})
