// Text on standard input → its rows as JSON; what stands without quotes and is the word for nothing, is null.
const { parse } = require("csv-parse/sync");

const { delimiter, line_ending, nothing } = JSON.parse(process.argv[2]);
const text = require("fs").readFileSync(0);
const rows = parse(text, {
  bom: true,
  delimiter,
  record_delimiter: line_ending,
  cast: (value, { quoting }) => (!quoting && value === nothing ? null : value),
});
process.stdout.write(JSON.stringify(rows));
