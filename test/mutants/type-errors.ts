// Type errors of mutants: a mutant that does not compile shows nothing about the simulator. One language service holds
// the source; each mutant only replaces a few of its files in memory.
import { join } from 'node:path';
import ts from 'typescript';
import { SOURCE } from '../sim/load-kind.ts';

/** A function from changed files (by path below src/) to their type errors, one line each. */
export function typeChecker(): (changed: ReadonlyMap<string, string>) => string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(SOURCE, '../tsconfig.json'),
    // A rule taken out may leave an import or a parameter without use.
    { noUnusedLocals: false, noUnusedParameters: false },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  );
  const overlay = new Map<string, string>();
  const versions = new Map<string, number>();
  let roots: string[] = [];
  const read = (path: string): string | undefined => overlay.get(path) ?? ts.sys.readFile(path);
  const service = ts.createLanguageService({
    fileExists: (path) => ts.sys.fileExists(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
    readFile: read,
    getCompilationSettings: () => config?.options ?? {},
    getCurrentDirectory: () => join(SOURCE, '..'),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    getScriptFileNames: () => roots,
    getScriptVersion: (path) => String(versions.get(path) ?? 0),
    getScriptSnapshot: (path) => {
      const text = read(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
  });
  const touch = (path: string): void => void versions.set(path, (versions.get(path) ?? 0) + 1);

  return (changed) => {
    const paths = new Map([...changed].map(([path, text]) => [join(SOURCE, path), text] as const));
    roots = [...new Set([...roots, ...paths.keys()])];
    for (const [path, text] of paths) {
      overlay.set(path, text);
      touch(path);
    }
    const found = [...paths.keys()].flatMap((path) => [
      ...service.getSyntacticDiagnostics(path),
      ...service.getSemanticDiagnostics(path),
    ]);
    for (const path of paths.keys()) touch(path);
    overlay.clear();
    return found.map(({ file, messageText, start = 0 }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
      return `${file?.fileName ?? ''}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  };
}
