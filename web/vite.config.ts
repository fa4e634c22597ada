import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The server's policy admits files of its own origin alone: no inline script, style or font.
export default defineConfig({
  base: '/console/',
  plugins: [react(), tailwindcss()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: { proxy: { '/api': 'http://localhost:8000', '/v1': 'http://localhost:8000' } },
})
