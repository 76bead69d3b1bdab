// Files dropped anywhere on the page.
import { useEffect, useRef, useState } from "../../lib/html.js";

/**
 * Whether files hang over the page. Without a handler, the browser does with them what it always does.
 * @param {((files: File[]) => void) | null} onFiles
 */
export function useFileDrop(onFiles) {
  const [isOver, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  const isWanted = onFiles !== null;

  useEffect(() => {
    if (!isWanted) return;
    const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    /** @param {DragEvent} event */
    function onDragOver(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    }
    /** @param {DragEvent} event */
    function onDragLeave(event) {
      // It also leaves each element within the page, for another one.
      if (event.relatedTarget === null) setOver(false);
    }
    /** @param {DragEvent} event */
    function onDrop(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) latest.current?.(files);
    }
    window.addEventListener("dragover", onDragOver);
    window.addEventListener("dragleave", onDragLeave);
    window.addEventListener("drop", onDrop);
    return () => {
      window.removeEventListener("dragover", onDragOver);
      window.removeEventListener("dragleave", onDragLeave);
      window.removeEventListener("drop", onDrop);
      setOver(false);
    };
  }, [isWanted]);
  return isOver;
}
