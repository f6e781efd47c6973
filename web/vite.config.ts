import { defineConfig } from 'vite';

// During development `npm run dev` serves the page and passes everything else
// on to a server started with `scarp serve`.
export default defineConfig({
  base: './',
  build: { outDir: 'dist', emptyOutDir: true, chunkSizeWarningLimit: 700 },
  server: {
    proxy: Object.fromEntries(
      ['/collections', '/events', '/models', '/processes', '/jobs', '/tileMatrixSets', '/api', '/wms'].map((path) => [
        path,
        'http://localhost:8080',
      ]),
    ),
  },
});
