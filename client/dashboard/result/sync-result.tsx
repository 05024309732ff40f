import { format } from '../page.ts'
import { text } from '../text.ts'
import { Figures } from './figures.tsx'
import type { SyncShape } from './shapes.ts'

/** The result of a sync. The first tab of the items has the failed files. */
export function SyncView({ result }: { result: SyncShape }) {
  const words = text.result
  const { copied, skipped, failed, bytesCopied, extra } = result
  return (
    <Figures
      figures={[
        { name: words.copied, value: format.number(copied) },
        { name: words.bytesCopied, value: format.amount(bytesCopied, 'bytes') },
        { name: words.skipped, value: format.number(skipped) },
        { name: words.failed, value: format.number(failed), tone: failed > 0 ? 'failed' : undefined },
        { name: words.extra, value: format.number(extra) },
      ]}
    />
  )
}
