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
    threads: state.threads("embed")
    resources:
        **state.resources("embed"),
    params:
        **get_settings("embedding"),
        processes=lambda wildcards, threads: state.processes("embed"),
        workers=lambda wildcards, threads: state.loader_workers("embed"),
    shell:
        "exec logged.sh {log:q} launch.sh 1 {params.processes:q} {threads:q}"
        " embed {wildcards.dataset:q}/{wildcards.model:q}/{wildcards.save_name:q}{wildcards.on:q}"
        ' --packed "$(dirname -- {input.index:q})" --model {input.model:q}'
        " --embeddings {output.embeddings:q} --workers {params.workers:q}"


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
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    params:
        **get_settings("scoring"),
    shell:
        "exec logged.sh {log:q} gait score"
        " {wildcards.dataset:q}/{wildcards.model:q}/{wildcards.save_name:q}{wildcards.on:q}"
        " --embeddings {input.embeddings:q} --metrics {output.metrics:q}"
