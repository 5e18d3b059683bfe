// Two libraries of npm write the documents of a folder: `node bench.mjs FOLDER`, with files `<lines>.xml` as we write them.
// Says "ready", then answers each line `LIBRARY LINES SECONDS` with documents a second: it times its windows itself.
import { readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { InvoiceService, invoiceSchema } from '@e-invoice-eu/core';
import { PeppolToolkit } from '@pixeldrive/peppol-toolkit';
import { XMLParser } from 'fast-xml-parser';

const FORMAT = 'UBL';
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '@', parseTagValue: false, parseAttributeValue: false });

function resolved(schema) {
	while (schema?.$ref) {
		schema = schema.$ref.slice(2).split('/').reduce((at, key) => at[key], invoiceSchema);
	}
	return schema ?? {};
}

// e-invoice-eu's own input is UBL as JSON: its schema says what is a list and what it knows.
function shaped(value, schema) {
	schema = resolved(schema);
	if (schema.type === 'array') {
		return [value].flat().map((one) => shaped(one, schema.items));
	}
	const first = Array.isArray(value) ? value[0] : value;
	if (!schema.properties) {
		return typeof first === 'object' ? String(first['#text']) : String(first);
	}
	const found = {};
	for (const key of Object.keys(schema.properties)) {
		const [name, attribute] = key.split('@');
		const child = [first[name]].flat()[0];
		if (attribute && child?.[`@${attribute}`] !== undefined) {
			found[key] = child[`@${attribute}`];
		} else if (!attribute && first[name] !== undefined) {
			found[key] = shaped(first[name], schema.properties[key]);
		}
	}
	return found;
}

const quiet = { log() {}, warn() {}, error() {} };
const toolkit = new PeppolToolkit();
const service = new InvoiceService(quiet);
const documents = {};
for (const file of readdirSync(process.argv[2])) {
	const xml = readFileSync(`${process.argv[2]}/${file}`, 'utf8');
	const parsed = parser.parse(xml);
	const key = Object.keys(parsed).find((name) => name.endsWith('Invoice'));
	documents[file.replace('.xml', '')] = {
		toolkit: toolkit.peppolUBLToInvoice(xml),
		core: shaped({ 'ubl:Invoice': parsed[key] }, invoiceSchema),
	};
}
const libraries = {
	toolkit: (one) => toolkit.invoiceToPeppolUBL(one.toolkit),
	core: (one) => service.generate(one.core, { format: FORMAT, lang: 'en', noWarnings: true }),
};
for (const [name, write] of Object.entries(libraries)) {
	for (const [lines, one] of Object.entries(documents)) {
		const written = String(await write(one)).split('<cac:InvoiceLine>').length - 1;
		if (written !== Number(lines)) {
			throw new Error(`${name} wrote ${written} lines of ${lines}`);
		}
	}
}
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
	const [name, lines, seconds] = line.split(' ');
	const [write, one, started] = [libraries[name], documents[lines], performance.now()];
	let count = 0;
	let elapsed;
	do {
		await write(one);
		count += 1;
		elapsed = (performance.now() - started) / 1000;
	} while (elapsed < Number(seconds));
	console.log(count / elapsed);
}
