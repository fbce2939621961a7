// Compares the texts of the page in its languages: node strings.mjs FOLDER
//
// Every key exists in each language; both sides of a key have the same shape and the same places like {name}; a text
// that depends on a number has every form that its language has. Prints one line for each difference.

import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const FIRST = "en";
const folder = resolve(process.argv[2]);
const files = (await readdir(folder)).filter((name) => /^[a-z]{2}\.js$/.test(name)).sort();
const languages = {};
for (const file of files) {
  const code = file.slice(0, 2);
  languages[code] = (await import(pathToFileURL(join(folder, file))))[code];
}

const differences = [];
if (!languages[FIRST]) differences.push(`there is no ${FIRST}.js that exports ${FIRST}`);

const isForms = (value) => typeof value === "object" && value !== null && "other" in value;
const places = (text) => [...new Set(String(text).match(/\{[a-z_A-Z]+\}/g) ?? [])].sort().join(" ");

function compare(code, path, wanted, text) {
  if (text === undefined) {
    differences.push(`${path} is missing in ${code}`);
  } else if (isForms(wanted) || isForms(text)) {
    compareForms(code, path, wanted, text);
  } else if (typeof wanted !== typeof text) {
    differences.push(`${path} is a ${typeof wanted} in ${FIRST} and a ${typeof text} in ${code}`);
  } else if (typeof wanted === "object") {
    for (const key of new Set([...Object.keys(wanted), ...Object.keys(text)])) {
      if (wanted[key] === undefined) differences.push(`${path}.${key} is in ${code} and not in ${FIRST}`);
      else compare(code, `${path}.${key}`, wanted[key], text[key]);
    }
  } else if (typeof text === "string") {
    if (!text.trim()) differences.push(`${path} is empty in ${code}`);
    if (places(wanted) !== places(text)) {
      differences.push(`${path} has the places ${places(wanted) || "none"} in ${FIRST} and ${places(text) || "none"} in ${code}`);
    }
  }
}

function compareForms(code, path, wanted, text) {
  if (!isForms(wanted) || !isForms(text)) {
    differences.push(`${path} depends on a number in one language and not in the other (${code})`);
    return;
  }
  const forms = new Intl.PluralRules(code).resolvedOptions().pluralCategories;
  for (const form of forms.filter((form) => typeof text[form] !== "string")) {
    differences.push(`${path} has no form "${form}" in ${code}`);
  }
  const all = (value) => places(Object.values(value).join(" "));
  if (all(wanted) !== all(text)) differences.push(`${path} has other places in ${code} than in ${FIRST}`);
}

for (const [code, texts] of Object.entries(languages)) {
  for (const key of new Set([...Object.keys(languages[FIRST] ?? {}), ...Object.keys(texts ?? {})])) {
    const wanted = languages[FIRST]?.[key];
    if (wanted === undefined) differences.push(`${key} is in ${code} and not in ${FIRST}`);
    else compare(code, key, wanted, texts?.[key]);
  }
}

for (const difference of differences) console.log(difference);
if (differences.length === 0) console.error(`${Object.keys(languages[FIRST]).length} texts in ${files.length} languages`);
process.exitCode = differences.length === 0 ? 0 : 1;
