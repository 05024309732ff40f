import { Scrollable } from '../parts/scrollable.tsx'
import { AnalysisResult } from '../result/analysis-result.tsx'
import { MatchingResult } from '../result/matching-result.tsx'
import { isAnalysisResult, isMatchingResult, isSyncResult } from '../result/shapes.ts'
import { SyncResult } from '../result/sync-result.tsx'
import { text } from '../text.ts'

/** The result of a job: tables for the reference services, JSON for others. */
export function Result({ kind, result }: { kind: string; result: unknown }) {
  return (
    <section class="card result">
      <h2>{text.job.result}</h2>
      {kind === 'sync' && isSyncResult(result) ? (
        <SyncResult result={result} />
      ) : kind === 'analysis' && isAnalysisResult(result) ? (
        <AnalysisResult result={result} />
      ) : kind === 'matching' && isMatchingResult(result) ? (
        <MatchingResult result={result} />
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
