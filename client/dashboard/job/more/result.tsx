import { Scrollable } from '../../parts/scrollable.tsx'
import { AnalysisView } from '../../result/analysis-result.tsx'
import { MatchingView } from '../../result/matching-result.tsx'
import { isAnalysisResult, isMatchingResult, isSyncResult } from '../../result/shapes.ts'
import { SyncView } from '../../result/sync-result.tsx'
import { text } from '../../text.ts'

/** The result of a job: tables for the reference services, JSON for others. */
export function Result({ kind, result }: { kind: string; result: unknown }) {
  return (
    <section class="card result">
      <h2>{text.job.result}</h2>
      {kind === 'sync' && isSyncResult(result) ? (
        <SyncView result={result} />
      ) : kind === 'analysis' && isAnalysisResult(result) ? (
        <AnalysisView result={result} />
      ) : kind === 'matching' && isMatchingResult(result) ? (
        <MatchingView result={result} />
      ) : (
        <Scrollable class="json" label={text.job.result}>
          <pre class="mono" dir="ltr">
            {JSON.stringify(result, null, 2)}
          </pre>
        </Scrollable>
      )}
    </section>
  )
}
