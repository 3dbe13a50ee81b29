rule embed:
    input:
        model=f"{RESULT}/model.pt",
        index=get_test_index,
    output:
        embeddings=f"{TESTED}/embeddings.npz",
    log:
        "logs/embed/{dataset}/{model}/{save_name}{on}.log",
    benchmark:
        "logs/embed/{dataset}/{model}/{save_name}{on}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: flow.threads("embed")
    resources:
        **flow.resources("embed"),
    params:
        settings=get_slice("embedding"),
        processes=lambda wildcards, threads: flow.processes("embed"),
        workers=lambda wildcards, threads: flow.loader_workers("embed"),
    shell:
        "exec launch.sh {log} 1 {params.processes} {threads}"
        " embed {wildcards.dataset}/{wildcards.model}/{wildcards.save_name}{wildcards.on} --packed $(dirname {input.index}) --model {input.model}"
        " --embeddings {output.embeddings} --workers {params.workers}"


rule score:
    input:
        embeddings=f"{TESTED}/embeddings.npz",
    output:
        metrics=f"{TESTED}/metrics.json",
    log:
        "logs/score/{dataset}/{model}/{save_name}{on}.log",
    benchmark:
        "logs/score/{dataset}/{model}/{save_name}{on}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: flow.threads("report")
    resources:
        **flow.resources("report"),
    params:
        settings=get_slice("scoring"),
    shell:
        "gait score {wildcards.dataset}/{wildcards.model}/{wildcards.save_name}{wildcards.on} --embeddings {input.embeddings} --metrics {output.metrics}"
        " > {log} 2>&1"
