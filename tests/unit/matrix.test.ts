import { expect, test } from 'bun:test'
import { placeMatrix, readMatrix, renderMatrix } from '../matrix.ts'

const report = `<testsuites tests="6">
  <testsuite name="tests/a.test.ts" tests="3">
    <testsuite name="runtime bun" tests="3">
      <testsuite name="streams" tests="2">
        <testcase name="one" />
        <testcase name="two">
        </testcase>
      </testsuite>
      <testsuite name="limits" tests="1">
        <testcase name="three" />
      </testsuite>
    </testsuite>
  </testsuite>
  <testsuite name="tests/b.test.ts" tests="2">
    <testsuite name="runtime deno" tests="2">
      <testsuite name="streams" tests="2">
        <testcase name="one" />
        <testcase name="two">
          <failure type="AssertionError" />
        </testcase>
      </testsuite>
    </testsuite>
    <testsuite name="something else" tests="1">
      <testcase name="four" />
    </testsuite>
  </testsuite>
</testsuites>`

test('renderMatrix has a row a group and a column a runtime, and checks what passed as a whole', () => {
  expect(renderMatrix(readMatrix(report))).toBe(
    [
      '|         | bun | deno |',
      '| ------- | --- | ---- |',
      '| streams | ✓   | ✗    |',
      '| limits  | ✓   | –    |',
    ].join('\n'),
  )
})

test('placeMatrix changes what stands between the marks, and nothing else', () => {
  const document = 'before\n<!-- matrix -->\n\nold\n\n<!-- /matrix -->\nafter\n'
  const placed = placeMatrix(document, '| new |')
  expect(placed).toBe('before\n<!-- matrix -->\n\n| new |\n\n<!-- /matrix -->\nafter\n')
  expect(placeMatrix(placed, '| new |')).toBe(placed)
})
