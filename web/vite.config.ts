import { defineConfig } from 'vite';

// During development `npm run dev` serves the page and passes everything else
// on to a server started with `scarp serve`.
export default defineConfig({
  base: './',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    chunkSizeWarningLimit: 1800, // the API page is Swagger UI, which is that large
    rollupOptions: { input: ['index.html', 'try.html'] },
  },
  server: {
    proxy: Object.fromEntries(
      ['/collections', '/events', '/models', '/processes', '/jobs', '/tileMatrixSets', '/api', '/wms'].map((path) => [
        path,
        'http://localhost:8080',
      ]),
    ),
  },
});
